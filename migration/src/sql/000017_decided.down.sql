ALTER TABLE delivery DROP COLUMN decided;
