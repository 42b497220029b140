"""Who reaches the page, and how one signs in."""
