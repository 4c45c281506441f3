"""Video jobs: a video is uploaded to a private spool, anonymized there, fetched once and deleted."""
