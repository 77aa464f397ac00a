-- When a key was last used, to within some minutes; NULL: not since this is known.

ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
