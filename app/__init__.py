"""The page on which a person looks at crops, clusters and maps, and names what is there.

`create_app` builds the Dash application of one survey and `serve` runs it on this computer.
Imports no torch, umap or faiss: the page starts at once.
"""

from app.server import create_app, serve

__all__ = ["create_app", "serve"]
