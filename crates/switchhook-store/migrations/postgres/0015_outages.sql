-- Times in which every attempt to send to a webhook failed: how it does is told from them, on every node and after a restart.

CREATE TABLE webhook_outages (
  webhook_id       BIGINT  NOT NULL,
  since_at         BIGINT  NOT NULL, -- when the first attempt failed
  until_at         BIGINT,          -- when one succeeded again; NULL: it lasts
  attempts         BIGINT  NOT NULL, -- how many failed
  last_at          BIGINT  NOT NULL, -- the last of them, and how it failed
  last_delivery_id BIGINT  NOT NULL,
  last_attempt     BIGINT  NOT NULL,
  last_status      BIGINT,
  last_reason      TEXT,
  PRIMARY KEY (webhook_id, since_at)
);

CREATE INDEX webhook_outages_lasting ON webhook_outages (webhook_id) WHERE until_at IS NULL;

-- Deliveries of which an attempt failed, however many newer ones did not.
CREATE INDEX deliveries_failed ON deliveries (company_id, id) WHERE failures_answered + failures_unanswered > 0;
