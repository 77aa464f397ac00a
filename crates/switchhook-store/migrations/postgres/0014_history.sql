-- What came of the attempts, minute by minute and hour by hour: sums, to which every node adds its own.

CREATE TABLE history (
  company_id        BIGINT NOT NULL,   -- 0: the server; that there is a row says that it ran
  webhook_id        BIGINT NOT NULL,   -- 0: the company with all its webhooks
  minutes           BIGINT NOT NULL,   -- 1 or 60: how long the time is
  from_at           BIGINT NOT NULL,   -- when it began
  accepted          BIGINT NOT NULL,   -- events; only where webhook_id is 0
  delivered         BIGINT NOT NULL,   -- attempts that succeeded
  failed_answered   BIGINT NOT NULL,   -- attempts that were answered with an error
  failed_unanswered BIGINT NOT NULL,   -- attempts that no answer came to
  exhausted         BIGINT NOT NULL,   -- deliveries that were given up
  latencies         TEXT   NOT NULL,   -- from acceptance to delivery, bucket:count; bucket n ends at 0.5 ms * 2^(n/2)
  PRIMARY KEY (company_id, webhook_id, minutes, from_at)
) WITH (fillfactor = 70);

CREATE INDEX history_by_age ON history (minutes, from_at);
