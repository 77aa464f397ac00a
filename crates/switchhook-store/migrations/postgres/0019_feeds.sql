-- Polling: companies whose events are all in their logs, and readers whose places in it are kept.

CREATE TABLE feeds (
  company_id BIGINT PRIMARY KEY,
  opened_at  BIGINT NOT NULL -- from then on every event has a position
);

CREATE TABLE consumers (
  company_id BIGINT NOT NULL,
  name       TEXT    NOT NULL,
  position   BIGINT NOT NULL, -- what it has acknowledged: everything up to here
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (company_id, name)
);
