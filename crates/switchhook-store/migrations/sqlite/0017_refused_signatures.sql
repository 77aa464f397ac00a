-- How a refused request was signed beside its body (Standard Webhooks): without that it could not be judged again.

ALTER TABLE source_refusals ADD COLUMN signature TEXT; -- JSON: id, timestamp, signature
