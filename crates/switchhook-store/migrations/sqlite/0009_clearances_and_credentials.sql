-- What the key may see that a replay was made with: `admin` and scopes, with commas between. NULL: made before this was
-- kept, and bounded by nothing.
ALTER TABLE replays ADD COLUMN made_with TEXT;

-- What a webhook is sent with beside its secret: headers that are credentials, user and password of its URL. Kept as the
-- secret is. In `hook_url` stands `***` with the webhook's id for user and password.
ALTER TABLE webhooks ADD COLUMN credentials TEXT;

CREATE INDEX webhooks_with_credentials ON webhooks (company_id) WHERE credentials IS NOT NULL;
