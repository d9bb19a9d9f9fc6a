-- The workspace that `up` makes for a first try: one key of each kind and a few events.
-- Prints "role key", one a line.
SELECT 'none yet';
