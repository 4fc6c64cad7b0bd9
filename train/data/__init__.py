"""Data preparation: from pictures and clips to shards of aligned, labelled faces."""
