"""Long work: `discover` commands in processes of their own, which the page starts and follows."""
