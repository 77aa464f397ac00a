-- Times during which a webhook was not sent to, and how long a delivery has waited because of them: that time does not
-- count towards how long it is tried.

CREATE TABLE webhook_holds (
  webhook_id INTEGER NOT NULL,
  reason     TEXT    NOT NULL, -- paused, breaker
  from_at    INTEGER NOT NULL,
  until_at   INTEGER,          -- NULL: it lasts
  probe_at   INTEGER,          -- breaker: when the next attempt may be made
  failures   INTEGER,          -- breaker: in a row
  PRIMARY KEY (webhook_id, reason, from_at)
) STRICT, WITHOUT ROWID;

ALTER TABLE deliveries ADD COLUMN held_ms INTEGER NOT NULL DEFAULT 0;
