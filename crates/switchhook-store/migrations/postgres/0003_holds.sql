-- Times during which a webhook was not sent to, and how long a delivery has waited because of them: that time does not
-- count towards how long it is tried.

CREATE TABLE webhook_holds (
  webhook_id BIGINT  NOT NULL,
  reason     TEXT    NOT NULL, -- paused, breaker
  from_at    BIGINT  NOT NULL,
  until_at   BIGINT,           -- NULL: it lasts
  probe_at   BIGINT,           -- breaker: when the next attempt may be made
  failures   BIGINT,           -- breaker: in a row
  PRIMARY KEY (webhook_id, reason, from_at)
);

ALTER TABLE deliveries ADD COLUMN held_ms BIGINT  NOT NULL DEFAULT 0;
