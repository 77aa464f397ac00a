-- Sessions of the dashboard that somebody signed out of, for as long as their cookies would be taken up again.

CREATE TABLE ended_sessions (
  key_id     BIGINT NOT NULL,   -- the key that somebody had signed in with
  token_hash BYTEA  NOT NULL,   -- SHA-256 of the cookie; empty: every session of the key that began until then
  ended_at   BIGINT NOT NULL,
  PRIMARY KEY (key_id, token_hash)
);

CREATE INDEX ended_sessions_by_time ON ended_sessions (ended_at);
