-- Websockets: where somebody may listen. Subscriptions point at a webhook or at a websocket, never at both.

CREATE TABLE websockets (
  id         BIGINT  PRIMARY KEY,
  company_id BIGINT  NOT NULL,
  secret     TEXT,               -- kept as a webhook's
  token_key  TEXT    NOT NULL,   -- what the tokens in its URLs are signed with; kept as a webhook's secret
  created_at BIGINT  NOT NULL,
  updated_at BIGINT  NOT NULL
);

CREATE INDEX websockets_by_company ON websockets (company_id, id);

ALTER TABLE subscriptions ADD COLUMN websocket_id BIGINT;
ALTER TABLE subscription_versions ADD COLUMN websocket_id BIGINT;

CREATE UNIQUE INDEX subscriptions_by_websocket_and_filter ON subscriptions (company_id, websocket_id, filter)
  WHERE deleted_at IS NULL AND websocket_id IS NOT NULL;
CREATE INDEX subscriptions_by_websocket ON subscriptions (websocket_id)
  WHERE deleted_at IS NULL AND websocket_id IS NOT NULL;

-- The place in the company's log: grows in the order of the commits, which ids do not. NULL: no websocket wanted it.
ALTER TABLE events ADD COLUMN position BIGINT;

CREATE UNIQUE INDEX events_by_position ON events (company_id, position) WHERE position IS NOT NULL;

-- Sources: where events come in from outside.

CREATE TABLE sources (
  id          BIGINT  PRIMARY KEY,
  company_id  BIGINT  NOT NULL,
  name        TEXT    NOT NULL,
  kind        TEXT,               -- NULL: the shape of each event tells
  token_hash  BYTEA   NOT NULL,   -- SHA-256 of the token in its address; the token itself is nowhere
  secret      TEXT,               -- kept as a webhook's
  old_secrets TEXT,               -- as a webhook's
  created_at  BIGINT  NOT NULL,
  updated_at  BIGINT  NOT NULL
);

CREATE INDEX sources_by_company ON sources (company_id, id);
CREATE UNIQUE INDEX sources_by_token_hash ON sources (token_hash);

-- What a source did not take: the last hundred of each.
CREATE TABLE source_refusals (
  id           BIGINT  PRIMARY KEY,
  source_id    BIGINT  NOT NULL,
  refused_at   BIGINT  NOT NULL,
  status       BIGINT  NOT NULL,
  reason       TEXT    NOT NULL,
  content_type TEXT,
  body_bytes   BIGINT  NOT NULL,
  body_head    BYTEA   NOT NULL
);

CREATE INDEX source_refusals_by_source ON source_refusals (source_id, id);
