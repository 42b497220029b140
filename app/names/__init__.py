"""The tree of subcategories on the page: its rows, its edits, its parts."""
