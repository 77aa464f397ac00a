-- Times are unix milliseconds (…_at), ids 53 bits and time-ordered, lists of ids "1,2". The tables are those of SQLite,
-- so that what one knows of one store holds for the other; where they differ, a sentence says why.
-- Indexes end with the row's id, because pages go by it.

-- The processes that use the store (on SQLite there is only one): what claims deliveries has a row here.
CREATE TABLE nodes (
  id         BIGINT  PRIMARY KEY GENERATED ALWAYS AS IDENTITY, -- each start is a node of its own
  slot       BIGINT  NOT NULL, -- which part of the ids it makes
  name       TEXT    NOT NULL, -- the machine and the process, for people
  started_at BIGINT  NOT NULL,
  seen_at    BIGINT  NOT NULL, -- by the clock of the database: when it last said that it is alive
  ended_at   BIGINT            -- it claims and sends nothing any more
);

CREATE UNIQUE INDEX nodes_by_slot ON nodes (slot) WHERE ended_at IS NULL;

-- Which companies' webhooks, websockets or subscriptions changed, in the order of the commits: what every node reads to
-- keep what it knows by heart up to date. Only the last ten thousand.
CREATE TABLE registry_changes (
  id         BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  company_id BIGINT NOT NULL
);

CREATE TABLE companies (
  id         BIGINT  PRIMARY KEY,
  name       TEXT    NOT NULL,
  created_at BIGINT  NOT NULL
);

CREATE TABLE api_keys (
  id         BIGINT  PRIMARY KEY,
  company_id BIGINT  NOT NULL,
  name       TEXT    NOT NULL,
  hash       BYTEA   NOT NULL,   -- SHA-256 of the key; the key itself is nowhere
  admin      BIGINT  NOT NULL,   -- 1: everything of its company
  rights     TEXT    NOT NULL,   -- read,write,ingest
  scopes     TEXT    NOT NULL,   -- change_log,recordings_export,…
  created_at BIGINT  NOT NULL,
  expires_at BIGINT, 
  revoked_at BIGINT
);

CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash);
CREATE INDEX api_keys_by_company ON api_keys (company_id, id);

CREATE TABLE webhooks (
  id         BIGINT  PRIMARY KEY,
  company_id BIGINT  NOT NULL,
  hook_url   TEXT    NOT NULL,
  secret     TEXT,
  settings   TEXT    NOT NULL,   -- JSON: only what the webhook sets for itself
  paused_at  BIGINT, 
  created_at BIGINT  NOT NULL,
  updated_at BIGINT  NOT NULL,
  deleted_at BIGINT              -- the row stays: old deliveries still tell where they went
);

CREATE UNIQUE INDEX webhooks_by_url ON webhooks (company_id, hook_url) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_by_company ON webhooks (company_id, id) WHERE deleted_at IS NULL;

CREATE TABLE subscriptions (
  id          BIGINT  PRIMARY KEY,
  company_id  BIGINT  NOT NULL,
  kind        TEXT    NOT NULL,
  enabled     BIGINT  NOT NULL,
  webhook_id  BIGINT,            -- NULL: sends nowhere (yet, or any more)
  target_type TEXT,
  target_id   BIGINT, 
  filter      TEXT    NOT NULL,  -- JSON; equal filters have equal text
  scopes      TEXT    NOT NULL,
  created_at  BIGINT  NOT NULL,
  updated_at  BIGINT  NOT NULL,
  deleted_at  BIGINT
);

CREATE UNIQUE INDEX subscriptions_by_filter ON subscriptions (company_id, webhook_id, filter)
  WHERE deleted_at IS NULL AND webhook_id IS NOT NULL;
CREATE INDEX subscriptions_by_company ON subscriptions (company_id, id) WHERE deleted_at IS NULL;
CREATE INDEX subscriptions_by_webhook ON subscriptions (webhook_id) WHERE deleted_at IS NULL;

CREATE TABLE events (
  id              BIGINT  PRIMARY KEY,
  company_id      BIGINT  NOT NULL,
  kind            TEXT    NOT NULL,
  accepted_at     BIGINT  NOT NULL,
  order_key       TEXT,          -- call:123: what must not overtake it
  idempotency_key TEXT,          -- NULL also when the key was used again later
  warnings        TEXT,          -- JSON: what validation had to say
  body            TEXT    NOT NULL -- byte for byte as it came
);

-- No index by order_key, as on SQLite. Narrow such a list by time.
CREATE INDEX events_by_company ON events (company_id, id);
CREATE UNIQUE INDEX events_by_idempotency_key ON events (company_id, idempotency_key)
  WHERE idempotency_key IS NOT NULL;

CREATE TABLE deliveries (
  id                  BIGINT  PRIMARY KEY,
  event_id            BIGINT  NOT NULL,
  ordinal             BIGINT  NOT NULL, -- within its event, from 0
  company_id          BIGINT  NOT NULL,
  webhook_id          BIGINT  NOT NULL,
  kind                TEXT    NOT NULL,
  subscription_ids    TEXT    NOT NULL, -- which asked for it
  hidden              TEXT    NOT NULL, -- what is taken out of the body: recordings,message_text
  order_key           TEXT,             -- NULL: goes when it likes
  line_position       BIGINT,           -- its place in the line of its order_key: several nodes' ids do not come in the
                                        -- order of their commits, so an id does not tell it as it does on SQLite
  state               TEXT    NOT NULL, -- pending, delivered, exhausted, cancelled
  due_at              BIGINT,           -- pending: when; while claimed: when the lease ends
  ended_at            BIGINT,           -- since when the state is final
  held                TEXT,             -- 'order': waits for those before it
  claimed_by          BIGINT,           -- the node whose attempt is open
  claimed_at          BIGINT, 
  attempt_number      BIGINT  NOT NULL, -- the last one opened
  failures_answered   BIGINT  NOT NULL,
  failures_unanswered BIGINT  NOT NULL,
  blocks_until        BIGINT  NOT NULL, -- until when it holds up its followers
  last_outcome        TEXT,             -- of the last attempt that ended, for lists
  last_status         BIGINT, 
  origin_id           BIGINT,           -- the delivery that it repeats
  created_at          BIGINT  NOT NULL,
  note                TEXT
);

CREATE INDEX deliveries_by_company ON deliveries (company_id, id);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_by_event ON deliveries (event_id);
-- Only what is not as it should be is indexed by its state.
CREATE INDEX deliveries_unfinished ON deliveries (company_id, state, id) WHERE state <> 'delivered';
-- What a node can claim; a claim moves a row from this index to the next.
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at, id) WHERE state = 'pending' AND claimed_by IS NULL;
-- Also cancelled deliveries while their last attempt is open.
CREATE INDEX deliveries_claimed ON deliveries (webhook_id, due_at, id) WHERE claimed_by IS NOT NULL;
CREATE INDEX deliveries_by_order_key ON deliveries (webhook_id, order_key, line_position)
  WHERE state = 'pending' AND order_key IS NOT NULL;

CREATE TABLE attempts (
  delivery_id      BIGINT  NOT NULL,
  number           BIGINT  NOT NULL,
  started_at       BIGINT  NOT NULL,
  finished_at      BIGINT  NOT NULL,
  outcome          TEXT    NOT NULL, -- answered, unanswered, lost
  reason           TEXT,             -- unanswered: which kind of silence
  detail           TEXT,             -- unanswered: in words
  status           BIGINT, 
  retry_after_at   BIGINT, 
  url              TEXT,             -- NULL: nothing was sent as far as we know
  request_headers  TEXT,             -- JSON
  answer_headers   TEXT,             -- JSON
  answer_body      BYTEA,             -- its head
  answer_truncated BIGINT  NOT NULL, -- 1: there was more
  dns_us           BIGINT, 
  connect_us       BIGINT, 
  tls_us           BIGINT, 
  first_byte_us    BIGINT, 
  total_us         BIGINT  NOT NULL,
  PRIMARY KEY (delivery_id, number)
);

-- Always empty: `check` writes a row and takes it back to see whether anything can be kept now.
CREATE TABLE checks (
  id     BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  filler BYTEA  NOT NULL
);

-- Every delivery changes at least once soon after it was made, and the dead rows stand where claims look first. Waiting
-- for a fifth of a large table to be dead, as is the default, would let them pile up.
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
