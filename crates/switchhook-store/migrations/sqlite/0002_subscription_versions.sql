-- What each subscription was from one change to the next, so that `explain` can say of any event why it was not sent
-- somewhere. Read it as: from from_at until until_at this subscription was so. What never changes of a subscription
-- (its scopes, when it was made) is in subscriptions, whose rows stay.

CREATE TABLE subscription_versions (
  revision        INTEGER PRIMARY KEY AUTOINCREMENT, -- counts the changes in the order of their commits, never again the same
  company_id      INTEGER NOT NULL,
  subscription_id INTEGER NOT NULL,
  change          TEXT    NOT NULL, -- how it began: carried_over, created, updated, webhook_deleted, deleted
  webhook_id      INTEGER,
  enabled         INTEGER NOT NULL,
  filter          TEXT    NOT NULL, -- JSON
  from_at         INTEGER NOT NULL,
  until_at        INTEGER           -- NULL: it is still so
) STRICT;

CREATE INDEX subscription_versions_by_subscription ON subscription_versions (company_id, subscription_id);
CREATE INDEX subscription_versions_by_company ON subscription_versions (company_id);

INSERT INTO subscription_versions (company_id, subscription_id, change, webhook_id, enabled, filter, from_at)
  SELECT company_id, id, 'carried_over', webhook_id, enabled, filter, updated_at FROM subscriptions
  WHERE deleted_at IS NULL ORDER BY id;

-- The subscription_versions.revision that it was matched with; NULL: it came before there were versions.
ALTER TABLE events ADD COLUMN revision INTEGER;
