-- A delivery that its first attempt delivered has it in its own row: most are, and one row costs less than two. What the columns of
-- the delivery say already (when it ended, with which outcome and status) is not there twice.

ALTER TABLE deliveries ADD COLUMN first_started_at       INTEGER;
ALTER TABLE deliveries ADD COLUMN first_url              TEXT;
ALTER TABLE deliveries ADD COLUMN first_request_headers  TEXT;
ALTER TABLE deliveries ADD COLUMN first_answer_headers   TEXT;
ALTER TABLE deliveries ADD COLUMN first_answer_body      BLOB;
ALTER TABLE deliveries ADD COLUMN first_answer_truncated INTEGER;
ALTER TABLE deliveries ADD COLUMN first_dns_us           INTEGER;
ALTER TABLE deliveries ADD COLUMN first_connect_us       INTEGER;
ALTER TABLE deliveries ADD COLUMN first_tls_us           INTEGER;
ALTER TABLE deliveries ADD COLUMN first_first_byte_us    INTEGER;
ALTER TABLE deliveries ADD COLUMN first_total_us         INTEGER; -- NULL: its attempts have rows of their own

ALTER TABLE attempts RENAME TO attempt_rows;

-- Every attempt, wherever it is. Columns of both sides have the same type, or SQLite would look at every row for a few.
CREATE VIEW attempts AS
  SELECT delivery_id, number, started_at, finished_at, outcome, reason, detail, status, retry_after_at, url, request_headers,
    answer_headers, answer_body, answer_truncated, dns_us, connect_us, tls_us, first_byte_us, total_us
  FROM attempt_rows
  UNION ALL
  SELECT id, attempt_number, first_started_at, ended_at, last_outcome, CAST(NULL AS TEXT), CAST(NULL AS TEXT), last_status,
    CAST(NULL AS INTEGER), first_url, first_request_headers, first_answer_headers, first_answer_body, first_answer_truncated,
    first_dns_us, first_connect_us, first_tls_us, first_first_byte_us, first_total_us
  FROM deliveries WHERE first_total_us IS NOT NULL;
