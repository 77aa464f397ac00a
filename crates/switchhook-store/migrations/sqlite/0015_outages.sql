-- Times in which every attempt to send to a webhook failed: how it does is told from them, on every node and after a restart.

CREATE TABLE webhook_outages (
  webhook_id       INTEGER NOT NULL,
  since_at         INTEGER NOT NULL, -- when the first attempt failed
  until_at         INTEGER,          -- when one succeeded again; NULL: it lasts
  attempts         INTEGER NOT NULL, -- how many failed
  last_at          INTEGER NOT NULL, -- the last of them, and how it failed
  last_delivery_id INTEGER NOT NULL,
  last_attempt     INTEGER NOT NULL,
  last_status      INTEGER,
  last_reason      TEXT,
  PRIMARY KEY (webhook_id, since_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_outages_lasting ON webhook_outages (webhook_id) WHERE until_at IS NULL;

-- Deliveries of which an attempt failed, however many newer ones did not.
CREATE INDEX deliveries_failed ON deliveries (company_id) WHERE failures_answered + failures_unanswered > 0;
