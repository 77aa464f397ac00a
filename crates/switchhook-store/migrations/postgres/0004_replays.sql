-- Replays: jobs that make new deliveries of old events.

CREATE TABLE replays (
  id             BIGINT  PRIMARY KEY,
  company_id     BIGINT  NOT NULL,
  filter         TEXT    NOT NULL,   -- JSON: which events
  webhook_id     BIGINT,             -- NULL: each goes to the webhook that it went to at first
  rate           DOUBLE PRECISION,   -- events a second
  hidden         TEXT    NOT NULL,   -- what is taken out where no earlier delivery says it
  total          BIGINT  NOT NULL,   -- how many deliveries it makes, as was thought when it was made
  total_is_exact BIGINT  NOT NULL,
  state          TEXT    NOT NULL,   -- running, finished, cancelled, failed
  reason         TEXT,               -- failed: why
  cursor         BIGINT  NOT NULL,   -- the last event that it looked at
  all_created    BIGINT  NOT NULL,   -- 1: it looked at all
  next_due_at    BIGINT  NOT NULL,   -- when its next delivery is due at the earliest
  scanned        BIGINT  NOT NULL,   -- events looked at
  created        BIGINT  NOT NULL,   -- deliveries made
  skipped        BIGINT  NOT NULL,   -- deliveries not made, because their webhook or event is gone
  delivered      BIGINT  NOT NULL,   -- of those that were made
  exhausted      BIGINT  NOT NULL,
  cancelled      BIGINT  NOT NULL,
  created_at     BIGINT  NOT NULL,
  ended_at       BIGINT
);

CREATE INDEX replays_by_company ON replays (company_id, id);
CREATE INDEX replays_running ON replays (id) WHERE state = 'running';

ALTER TABLE deliveries ADD COLUMN replay_id BIGINT; -- the replay that made it

CREATE INDEX deliveries_by_replay ON deliveries (replay_id, id) WHERE replay_id IS NOT NULL;
-- What of a replay is under way, those that were never attempted first.
CREATE INDEX deliveries_of_replay ON deliveries (replay_id, attempt_number, id)
  WHERE replay_id IS NOT NULL AND state = 'pending';

-- A webhook that exists for this replay only: it has an address, no subscriptions, and is in no list.
ALTER TABLE webhooks ADD COLUMN replay_id BIGINT;

DROP INDEX webhooks_by_url;
CREATE UNIQUE INDEX webhooks_by_url ON webhooks (company_id, hook_url)
  WHERE deleted_at IS NULL AND replay_id IS NULL;
CREATE INDEX webhooks_by_replay ON webhooks (company_id, id) WHERE replay_id IS NOT NULL AND deleted_at IS NULL;
