"""What people said of crops: events, groups, the tree of subcategories."""
