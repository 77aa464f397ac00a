-- Polling: companies whose events are all in their logs, and readers whose places in it are kept.

CREATE TABLE feeds (
  company_id INTEGER PRIMARY KEY,
  opened_at  INTEGER NOT NULL -- from then on every event has a position
);

CREATE TABLE consumers (
  company_id INTEGER NOT NULL,
  name       TEXT    NOT NULL,
  position   INTEGER NOT NULL, -- what it has acknowledged: everything up to here
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (company_id, name)
);
