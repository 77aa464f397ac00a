-- Notifications: what people are told when something goes wrong.

CREATE TABLE notification_channels (
  id          INTEGER PRIMARY KEY,
  company_id  INTEGER NOT NULL,
  type        TEXT    NOT NULL,
  destination TEXT    NOT NULL,   -- a URL or mailboxes; kept as a webhook's secret
  secret      TEXT,               -- kept as a webhook's
  kinds       TEXT    NOT NULL,   -- a JSON array
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX notification_channels_by_company ON notification_channels (company_id);

-- Each is written in the commit of the change that people are told of. Ids are made here, by the time.
CREATE TABLE notifications (
  id            INTEGER PRIMARY KEY,
  company_id    INTEGER,            -- NULL: the operator's
  kind          TEXT    NOT NULL,
  subject       TEXT    NOT NULL,   -- within a kind, what is said of one subject is said once in a while
  at            INTEGER NOT NULL,
  count         INTEGER NOT NULL,   -- how many times it happened until it was handed out
  data          TEXT    NOT NULL,   -- a JSON object; what it has depends on the kind
  due_at        INTEGER NOT NULL,
  handed_out_at INTEGER             -- NULL: it still grows
) STRICT;

-- The operator's are shown to company 1, which is the operator's own.
CREATE INDEX notifications_by_company ON notifications (coalesce(company_id, 1));
CREATE INDEX notifications_by_subject ON notifications (subject, kind);
CREATE INDEX notifications_to_hand_out ON notifications (due_at) WHERE handed_out_at IS NULL;

-- How far each is on its way to each recipient.
CREATE TABLE notification_progress (
  notification_id INTEGER NOT NULL,
  channel_id      INTEGER NOT NULL,   -- 0: the command that the server runs for its operator
  attempts        INTEGER NOT NULL,
  due_at          INTEGER,            -- NULL: that is over
  sent_at         INTEGER,
  error           TEXT,
  PRIMARY KEY (notification_id, channel_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX notification_progress_due ON notification_progress (due_at) WHERE due_at IS NOT NULL;

-- When the last event came in by a source, within a minute; NULL: never since this is written down.
ALTER TABLE sources ADD COLUMN last_event_at INTEGER;
