-- What came of the attempts, minute by minute and hour by hour: sums, to which every node adds its own.

CREATE TABLE history (
  company_id        INTEGER NOT NULL,   -- 0: the server; that there is a row says that it ran
  webhook_id        INTEGER NOT NULL,   -- 0: the company with all its webhooks
  minutes           INTEGER NOT NULL,   -- 1 or 60: how long the time is
  from_at           INTEGER NOT NULL,   -- when it began
  accepted          INTEGER NOT NULL,   -- events; only where webhook_id is 0
  delivered         INTEGER NOT NULL,   -- attempts that succeeded
  failed_answered   INTEGER NOT NULL,   -- attempts that were answered with an error
  failed_unanswered INTEGER NOT NULL,   -- attempts that no answer came to
  exhausted         INTEGER NOT NULL,   -- deliveries that were given up
  latencies         TEXT    NOT NULL,   -- from acceptance to delivery, bucket:count; bucket n ends at 0.5 ms * 2^(n/2)
  PRIMARY KEY (company_id, webhook_id, minutes, from_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX history_by_age ON history (minutes, from_at);
