-- Secrets: `enc:v1:KEY:…` is encrypted with the server's key KEY, anything else is the secret itself (`plain:` before it
-- if it begins with one of these words).
ALTER TABLE webhooks ADD COLUMN old_secrets TEXT; -- JSON: those that were replaced and still count, until when

CREATE INDEX webhooks_with_old_secrets ON webhooks (id) WHERE old_secrets IS NOT NULL;

-- The payload is gone and the record is not: `body` is empty, and these say since when and why.
ALTER TABLE events ADD COLUMN payload_removed_at  BIGINT;
ALTER TABLE events ADD COLUMN payload_removed_for TEXT; -- delivered, erased

ALTER TABLE companies ADD COLUMN drop_payloads BIGINT  NOT NULL DEFAULT 0; -- 1: payloads go once they are delivered
