"""Documents: schema, languages, recipe, storage, readers, text scan, language identification, deduplication."""
