"""Files for those who want them: drafts for a folder, exports of what runs, good practice."""
