-- Times are unix milliseconds (…_at), ids 53 bits and time-ordered, lists of ids "1,2".
-- Every index of SQLite ends with the row's id by itself, so that (company_id) is also (company_id, id).

CREATE TABLE companies (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
  id         INTEGER PRIMARY KEY,
  company_id INTEGER NOT NULL,
  name       TEXT    NOT NULL,
  hash       BLOB    NOT NULL,   -- SHA-256 of the key; the key itself is nowhere
  admin      INTEGER NOT NULL,   -- 1: everything of its company
  rights     TEXT    NOT NULL,   -- read,write,ingest
  scopes     TEXT    NOT NULL,   -- change_log,recordings_export,…
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;

CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash);
CREATE INDEX api_keys_by_company ON api_keys (company_id);

CREATE TABLE webhooks (
  id         INTEGER PRIMARY KEY,
  company_id INTEGER NOT NULL,
  hook_url   TEXT    NOT NULL,
  secret     TEXT,
  settings   TEXT    NOT NULL,   -- JSON: only what the webhook sets for itself
  paused_at  INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER             -- the row stays: old deliveries still tell where they went
) STRICT;

CREATE UNIQUE INDEX webhooks_by_url ON webhooks (company_id, hook_url) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_by_company ON webhooks (company_id) WHERE deleted_at IS NULL;

CREATE TABLE subscriptions (
  id          INTEGER PRIMARY KEY,
  company_id  INTEGER NOT NULL,
  kind        TEXT    NOT NULL,
  enabled     INTEGER NOT NULL,
  webhook_id  INTEGER,           -- NULL: sends nowhere (yet, or any more)
  target_type TEXT,
  target_id   INTEGER,
  filter      TEXT    NOT NULL,  -- JSON; equal filters have equal text
  scopes      TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  deleted_at  INTEGER
) STRICT;

CREATE UNIQUE INDEX subscriptions_by_filter ON subscriptions (company_id, webhook_id, filter)
  WHERE deleted_at IS NULL AND webhook_id IS NOT NULL;
CREATE INDEX subscriptions_by_company ON subscriptions (company_id) WHERE deleted_at IS NULL;
CREATE INDEX subscriptions_by_webhook ON subscriptions (webhook_id) WHERE deleted_at IS NULL;

CREATE TABLE events (
  id              INTEGER PRIMARY KEY,
  company_id      INTEGER NOT NULL,
  kind            TEXT    NOT NULL,
  accepted_at     INTEGER NOT NULL,
  order_key       TEXT,          -- call:123: what must not overtake it
  idempotency_key TEXT,          -- NULL also when the key was used again later
  warnings        TEXT,          -- JSON: what validation had to say
  body            TEXT    NOT NULL -- byte for byte as it came
) STRICT;

-- No index by order_key: its values come in no order, so every event would dirty a page of its own, which was
-- measured to cost a fifth of the writer's time. Narrow such a list by time.
CREATE INDEX events_by_company ON events (company_id);
CREATE UNIQUE INDEX events_by_idempotency_key ON events (company_id, idempotency_key)
  WHERE idempotency_key IS NOT NULL;

CREATE TABLE deliveries (
  id                  INTEGER PRIMARY KEY,
  event_id            INTEGER NOT NULL,
  ordinal             INTEGER NOT NULL, -- within its event, from 0
  company_id          INTEGER NOT NULL,
  webhook_id          INTEGER NOT NULL,
  kind                TEXT    NOT NULL,
  subscription_ids    TEXT    NOT NULL, -- which asked for it
  hidden              TEXT    NOT NULL, -- what is taken out of the body: recordings,message_text
  order_key           TEXT,             -- NULL: goes when it likes
  state               TEXT    NOT NULL, -- pending, delivered, exhausted, cancelled
  due_at              INTEGER,          -- pending: when; while claimed: when the lease ends
  ended_at            INTEGER,          -- since when the state is final
  held                TEXT,             -- 'order': waits for those before it
  claimed_by          INTEGER,          -- the node whose attempt is open
  claimed_at          INTEGER,
  attempt_number      INTEGER NOT NULL, -- the last one opened
  failures_answered   INTEGER NOT NULL,
  failures_unanswered INTEGER NOT NULL,
  blocks_until        INTEGER NOT NULL, -- until when it holds up its followers
  last_outcome        TEXT,             -- of the last attempt that ended, for lists
  last_status         INTEGER,
  origin_id           INTEGER,          -- the delivery that it repeats
  created_at          INTEGER NOT NULL,
  note                TEXT
) STRICT;

CREATE INDEX deliveries_by_company ON deliveries (company_id);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id);
CREATE INDEX deliveries_by_event ON deliveries (event_id);
-- Only what is not as it should be is indexed by its state.
CREATE INDEX deliveries_unfinished ON deliveries (company_id, state) WHERE state <> 'delivered';
-- What a node can claim; a claim moves a row from this index to the next.
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at) WHERE state = 'pending' AND claimed_by IS NULL;
-- Also cancelled deliveries while their last attempt is open.
CREATE INDEX deliveries_claimed ON deliveries (webhook_id, due_at) WHERE claimed_by IS NOT NULL;
CREATE INDEX deliveries_by_order_key ON deliveries (webhook_id, order_key)
  WHERE state = 'pending' AND order_key IS NOT NULL;

CREATE TABLE attempts (
  delivery_id      INTEGER NOT NULL,
  number           INTEGER NOT NULL,
  started_at       INTEGER NOT NULL,
  finished_at      INTEGER NOT NULL,
  outcome          TEXT    NOT NULL, -- answered, unanswered, lost
  reason           TEXT,             -- unanswered: which kind of silence
  detail           TEXT,             -- unanswered: in words
  status           INTEGER,
  retry_after_at   INTEGER,
  url              TEXT,             -- NULL: nothing was sent as far as we know
  request_headers  TEXT,             -- JSON
  answer_headers   TEXT,             -- JSON
  answer_body      BLOB,             -- its head
  answer_truncated INTEGER NOT NULL, -- 1: there was more
  dns_us           INTEGER,
  connect_us       INTEGER,
  tls_us           INTEGER,
  first_byte_us    INTEGER,
  total_us         INTEGER NOT NULL,
  PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;

-- Always empty: `check` writes a row and takes it back to see whether anything can be kept now.
CREATE TABLE checks (
  id     INTEGER PRIMARY KEY,
  filler BLOB NOT NULL
) STRICT;
