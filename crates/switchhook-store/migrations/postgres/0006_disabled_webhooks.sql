-- Since when a webhook is paused because its receiver had failed for too long; NULL if it is not, or somebody paused it.
ALTER TABLE webhooks ADD COLUMN disabled_at BIGINT;
