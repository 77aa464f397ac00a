-- Who owns the file: each process that comes to serve it writes the next number, and one that finds another number than its
-- own commits nothing more. `process` and `path` say who it is and by which path, until it has ended in good order.
CREATE TABLE owner (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  number  INTEGER NOT NULL,
  process INTEGER,
  path    BLOB
) STRICT;
INSERT INTO owner (id, number) VALUES (1, 0);
