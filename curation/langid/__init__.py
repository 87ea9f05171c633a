"""Language identification of documents."""
