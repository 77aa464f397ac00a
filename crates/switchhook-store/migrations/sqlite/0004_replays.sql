-- Replays: jobs that make new deliveries of old events.

CREATE TABLE replays (
  id             INTEGER PRIMARY KEY,
  company_id     INTEGER NOT NULL,
  filter         TEXT    NOT NULL,   -- JSON: which events
  webhook_id     INTEGER,            -- NULL: each goes to the webhook that it went to at first
  rate           REAL,               -- events a second
  hidden         TEXT    NOT NULL,   -- what is taken out where no earlier delivery says it
  total          INTEGER NOT NULL,   -- how many deliveries it makes, as was thought when it was made
  total_is_exact INTEGER NOT NULL,
  state          TEXT    NOT NULL,   -- running, finished, cancelled, failed
  reason         TEXT,               -- failed: why
  cursor         INTEGER NOT NULL,   -- the last event that it looked at
  all_created    INTEGER NOT NULL,   -- 1: it looked at all
  next_due_at    INTEGER NOT NULL,   -- when its next delivery is due at the earliest
  scanned        INTEGER NOT NULL,   -- events looked at
  created        INTEGER NOT NULL,   -- deliveries made
  skipped        INTEGER NOT NULL,   -- deliveries not made, because their webhook or event is gone
  delivered      INTEGER NOT NULL,   -- of those that were made
  exhausted      INTEGER NOT NULL,
  cancelled      INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  ended_at       INTEGER
) STRICT;

CREATE INDEX replays_by_company ON replays (company_id);
CREATE INDEX replays_running ON replays (id) WHERE state = 'running';

ALTER TABLE deliveries ADD COLUMN replay_id INTEGER; -- the replay that made it

CREATE INDEX deliveries_by_replay ON deliveries (replay_id) WHERE replay_id IS NOT NULL;
-- What of a replay is under way, those that were never attempted first.
CREATE INDEX deliveries_of_replay ON deliveries (replay_id, attempt_number)
  WHERE replay_id IS NOT NULL AND state = 'pending';

-- A webhook that exists for this replay only: it has an address, no subscriptions, and is in no list.
ALTER TABLE webhooks ADD COLUMN replay_id INTEGER;

DROP INDEX webhooks_by_url;
CREATE UNIQUE INDEX webhooks_by_url ON webhooks (company_id, hook_url)
  WHERE deleted_at IS NULL AND replay_id IS NULL;
CREATE INDEX webhooks_by_replay ON webhooks (company_id) WHERE replay_id IS NOT NULL AND deleted_at IS NULL;
