-- The form in which a webhook's address is compared, without user and password: one address in two spellings is one webhook's.
-- The program fills it in for webhooks that are there.
ALTER TABLE webhooks ADD COLUMN url_key TEXT;

CREATE INDEX webhooks_by_url_key ON webhooks (company_id, url_key)
  WHERE deleted_at IS NULL AND replay_id IS NULL;

-- What it was for is answered by the one above.
DROP INDEX webhooks_with_credentials;
