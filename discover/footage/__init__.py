"""Images, videos, metadata and navigation logs in: what `discover.frames` puts together."""
