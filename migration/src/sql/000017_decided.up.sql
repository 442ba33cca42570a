-- A person, or a comparison with their list, has decided that it is sent although it may have arrived. Good for one sending.
ALTER TABLE delivery ADD COLUMN decided boolean NOT NULL DEFAULT false;
