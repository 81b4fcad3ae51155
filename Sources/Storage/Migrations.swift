/// The numbered steps from an empty database to the current one. A released step is never edited: databases keep the
/// checksum of each that they went through.
enum Migrations {
    static let all: [(number: Int, name: String, sql: String)] = [
        (
            1, "heart",
            """
            CREATE TABLE meta (
              key TEXT PRIMARY KEY, value TEXT NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE objects (
              uid TEXT PRIMARY KEY CHECK (length(uid) = 32),
              kind TEXT NOT NULL CHECK (kind IN ('Agent', 'Namespace', 'Secret', 'ConfigMap')),
              namespace TEXT NOT NULL,
              name TEXT NOT NULL CHECK (name <> ''),
              generation INTEGER NOT NULL CHECK (generation >= 1),
              resource_version INTEGER NOT NULL CHECK (resource_version >= 1),
              created_ms INTEGER NOT NULL,
              content TEXT NOT NULL CHECK (json_valid(content)),
              managers TEXT NOT NULL CHECK (json_valid(managers)),
              deleted_ms INTEGER,
              delete_grace_ms INTEGER CHECK (delete_grace_ms IS NULL OR deleted_ms IS NOT NULL),
              revision INTEGER CHECK ((revision IS NOT NULL) = (kind = 'Agent')),
              own_user INTEGER,
              status TEXT CHECK (status IS NULL OR json_valid(status)),
              CHECK ((kind = 'Namespace') = (namespace = '')),
              UNIQUE (kind, namespace, name)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE secrets (
              uid TEXT PRIMARY KEY REFERENCES objects (uid) ON DELETE CASCADE,
              sealing TEXT NOT NULL CHECK (sealing IN ('none')),
              data TEXT NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE replicas (
              uid TEXT NOT NULL REFERENCES objects (uid) ON DELETE CASCADE,
              ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
              attempt INTEGER NOT NULL CHECK (attempt >= 0),
              restarts INTEGER NOT NULL CHECK (restarts >= 0),
              backoff_step INTEGER NOT NULL CHECK (backoff_step >= 0),
              phase TEXT NOT NULL CHECK (phase IN ('Created', 'Scheduled', 'Starting', 'Ready', 'Failed', 'BackingOff',
                'Stopping', 'Stopped', 'Completed')),
              run TEXT,
              seen INTEGER CHECK (seen IN (0, 1)),
              removed INTEGER CHECK (removed IN (0, 1)),
              reason TEXT CHECK (reason IN ('Deleted', 'ScaledDown', 'Suspended', 'Replaced')),
              deadline TEXT,
              retry_revision INTEGER,
              last_exit TEXT,
              PRIMARY KEY (uid, ordinal),
              CHECK ((run IS NOT NULL) = (phase IN ('Starting', 'Ready', 'Failed', 'Stopping', 'Completed'))),
              CHECK ((seen IS NOT NULL) = (phase = 'Starting')),
              CHECK ((removed IS NOT NULL) = (phase IN ('Failed', 'Completed'))),
              CHECK ((reason IS NOT NULL) = (phase IN ('Stopping', 'Stopped'))),
              CHECK ((deadline IS NOT NULL) = (phase IN ('Stopping', 'BackingOff'))),
              CHECK ((retry_revision IS NOT NULL) = (phase = 'BackingOff')),
              CHECK (run IS NULL OR attempt >= 1)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE runs (
              uid TEXT NOT NULL REFERENCES objects (uid) ON DELETE CASCADE,
              ordinal INTEGER NOT NULL,
              attempt INTEGER NOT NULL CHECK (attempt >= 1),
              revision INTEGER NOT NULL CHECK (revision >= 1),
              phase TEXT NOT NULL,
              spec TEXT NOT NULL CHECK (json_valid(spec)),
              inputs TEXT NOT NULL CHECK (json_valid(inputs)),
              created_ms INTEGER NOT NULL,
              start_by TEXT NOT NULL,
              pid INTEGER,
              started_ms INTEGER,
              ready_at TEXT,
              gate INTEGER,
              exit TEXT,
              PRIMARY KEY (uid, ordinal, attempt)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE outbox (
              position INTEGER PRIMARY KEY,
              uid TEXT NOT NULL,
              sequence INTEGER NOT NULL CHECK (sequence >= 1),
              event_type TEXT NOT NULL,
              namespace TEXT NOT NULL,
              occurred_ms INTEGER NOT NULL,
              payload TEXT NOT NULL CHECK (json_valid(payload)),
              state TEXT NOT NULL DEFAULT 'OutboxWritten'
                CHECK (state IN ('OutboxWritten', 'Retrying', 'Published', 'Acknowledged', 'DeadLettered', 'Skipped')),
              attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
              retry_at TEXT CHECK ((retry_at IS NOT NULL) = (state = 'Retrying')),
              error TEXT,
              published_ms INTEGER,
              UNIQUE (uid, sequence),
              CHECK (published_ms IS NULL OR state IN ('Published', 'Acknowledged'))
            ) STRICT;
            CREATE INDEX outbox_pending ON outbox (position) WHERE state IN ('OutboxWritten', 'Retrying', 'DeadLettered');
            CREATE TABLE ledgers (
              uid TEXT PRIMARY KEY,
              last_sequence INTEGER NOT NULL,
              published_sequence INTEGER NOT NULL CHECK (published_sequence <= last_sequence)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE consumers (
              name TEXT PRIMARY KEY,
              position INTEGER NOT NULL CHECK (position >= 0),
              journal_offset INTEGER NOT NULL CHECK (journal_offset >= 0),
              expired INTEGER NOT NULL CHECK (expired IN (0, 1))
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE audit (
              id INTEGER PRIMARY KEY,
              at_ms INTEGER NOT NULL,
              actor TEXT NOT NULL CHECK (actor <> ''),
              verb TEXT NOT NULL CHECK (verb <> ''),
              kind TEXT NOT NULL,
              namespace TEXT NOT NULL,
              name TEXT NOT NULL,
              uid TEXT,
              source TEXT NOT NULL,
              detail TEXT NOT NULL,
              position INTEGER
            ) STRICT;
            CREATE TABLE tombstones (uid TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
            CREATE TABLE event_schemas (
              event_type TEXT NOT NULL,
              version INTEGER NOT NULL CHECK (version >= 1),
              schema TEXT NOT NULL CHECK (json_valid(schema)),
              PRIMARY KEY (event_type, version)
            ) STRICT, WITHOUT ROWID;
            """
        ),
        (
            2, "isolations",
            """
            ALTER TABLE runs ADD COLUMN facts TEXT CHECK (facts IS NULL OR json_valid(facts));
            ALTER TABLE runs ADD COLUMN startup_by TEXT;
            CREATE TABLE new_replicas (
              uid TEXT NOT NULL REFERENCES objects (uid) ON DELETE CASCADE,
              ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
              attempt INTEGER NOT NULL CHECK (attempt >= 0),
              restarts INTEGER NOT NULL CHECK (restarts >= 0),
              backoff_step INTEGER NOT NULL CHECK (backoff_step >= 0),
              phase TEXT NOT NULL CHECK (phase IN ('Created', 'Scheduled', 'Starting', 'Ready', 'Failed', 'BackingOff',
                'Stopping', 'Stopped', 'Completed')),
              run TEXT,
              seen INTEGER CHECK (seen IN (0, 1)),
              removed INTEGER CHECK (removed IN (0, 1)),
              reason TEXT CHECK (reason IN ('Deleted', 'ScaledDown', 'Suspended', 'Replaced', 'Unhealthy')),
              deadline TEXT,
              retry_revision INTEGER,
              last_exit TEXT,
              PRIMARY KEY (uid, ordinal),
              CHECK ((run IS NOT NULL) = (phase IN ('Starting', 'Ready', 'Failed', 'Stopping', 'Completed'))),
              CHECK ((seen IS NOT NULL) = (phase = 'Starting')),
              CHECK ((removed IS NOT NULL) = (phase IN ('Failed', 'Completed'))),
              CHECK ((reason IS NOT NULL) = (phase IN ('Stopping', 'Stopped'))),
              CHECK (NOT (reason = 'Unhealthy' AND phase = 'Stopped')),
              CHECK ((deadline IS NOT NULL) = (phase IN ('Stopping', 'BackingOff'))),
              CHECK ((retry_revision IS NOT NULL) = (phase = 'BackingOff')),
              CHECK (run IS NULL OR attempt >= 1)
            ) STRICT, WITHOUT ROWID;
            INSERT INTO new_replicas SELECT * FROM replicas;
            DROP TABLE replicas;
            ALTER TABLE new_replicas RENAME TO replicas;
            """
        ),
        (
            3, "sources",
            // A new kind in a CHECK: the table is not copied, its text is changed, as SQLite's documentation of ALTER TABLE
            // says for changes that do not touch the rows.
            """
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(sql, '''ConfigMap'')', '''ConfigMap'', ''Source'')')
            WHERE type = 'table' AND name = 'objects';
            PRAGMA writable_schema = RESET;
            ALTER TABLE objects ADD COLUMN origin TEXT CHECK (origin IS NULL OR json_valid(origin));
            """
        ),
        (
            4, "kinds",
            // A kind is a row, which says where its objects lie and whether they have revisions. CHECK cannot look at other
            // rows: triggers do.
            """
            CREATE TABLE kinds (
              name TEXT PRIMARY KEY CHECK (name <> ''),
              namespaced INTEGER NOT NULL CHECK (namespaced IN (0, 1)),
              revised INTEGER NOT NULL CHECK (revised IN (0, 1))
            ) STRICT, WITHOUT ROWID;
            INSERT INTO kinds VALUES ('Agent', 1, 1), ('ConfigMap', 1, 0), ('Namespace', 0, 0), ('Secret', 1, 0),
              ('Source', 1, 0);
            CREATE TABLE new_objects (
              uid TEXT PRIMARY KEY CHECK (length(uid) = 32),
              kind TEXT NOT NULL REFERENCES kinds (name),
              namespace TEXT NOT NULL,
              name TEXT NOT NULL CHECK (name <> ''),
              generation INTEGER NOT NULL CHECK (generation >= 1),
              resource_version INTEGER NOT NULL CHECK (resource_version >= 1),
              created_ms INTEGER NOT NULL,
              content TEXT NOT NULL CHECK (json_valid(content)),
              managers TEXT NOT NULL CHECK (json_valid(managers)),
              deleted_ms INTEGER,
              delete_grace_ms INTEGER CHECK (delete_grace_ms IS NULL OR deleted_ms IS NOT NULL),
              revision INTEGER,
              own_user INTEGER,
              status TEXT CHECK (status IS NULL OR json_valid(status)),
              origin TEXT CHECK (origin IS NULL OR json_valid(origin)),
              UNIQUE (kind, namespace, name)
            ) STRICT, WITHOUT ROWID;
            INSERT INTO new_objects (uid, kind, namespace, name, generation, resource_version, created_ms, content,
              managers, deleted_ms, delete_grace_ms, revision, own_user, status, origin)
            SELECT uid, kind, namespace, name, generation, resource_version, created_ms, content,
              managers, deleted_ms, delete_grace_ms, revision, own_user, status, origin FROM objects;
            DROP TABLE objects;
            ALTER TABLE new_objects RENAME TO objects;
            CREATE TRIGGER objects_are_made_as_their_kind BEFORE INSERT ON objects
            WHEN NOT EXISTS (SELECT 1 FROM kinds WHERE name = NEW.kind AND namespaced = (NEW.namespace <> '')
              AND revised = (NEW.revision IS NOT NULL))
            BEGIN SELECT RAISE(ABORT, 'the object is not as its kind is described'); END;
            CREATE TRIGGER objects_stay_as_their_kind BEFORE UPDATE OF kind, namespace, revision ON objects
            WHEN NOT EXISTS (SELECT 1 FROM kinds WHERE name = NEW.kind AND namespaced = (NEW.namespace <> '')
              AND revised = (NEW.revision IS NOT NULL))
            BEGIN SELECT RAISE(ABORT, 'the object is not as its kind is described'); END;
            """
        ),
        (
            5, "sealed secrets",
            // The values that stand in `plain_secrets` are sealed by SealedSecrets, in the same transaction.
            """
            ALTER TABLE secrets RENAME TO plain_secrets;
            CREATE TABLE secrets (
              uid TEXT PRIMARY KEY REFERENCES objects (uid) ON DELETE CASCADE,
              key_id TEXT NOT NULL CHECK (length(key_id) = 16),
              sealed BLOB NOT NULL CHECK (length(sealed) >= 28)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE idempotency (
              principal TEXT NOT NULL CHECK (principal <> ''),
              key TEXT NOT NULL CHECK (key <> ''),
              digest TEXT NOT NULL,
              answer TEXT NOT NULL CHECK (json_valid(answer)),
              at_ms INTEGER NOT NULL,
              PRIMARY KEY (principal, key)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX idempotency_by_age ON idempotency (at_ms);
            """
        ),
        (
            6, "history by object",
            """
            CREATE INDEX audit_by_object ON audit (kind, namespace, name, id);
            """
        ),
        (
            7, "sinks",
            """
            CREATE TABLE sinks (
              name TEXT PRIMARY KEY CHECK (name <> ''),
              journal_offset INTEGER NOT NULL CHECK (journal_offset >= 0),
              position INTEGER NOT NULL CHECK (position >= 0),
              gone TEXT CHECK (gone <> '')
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE parked (
              sink TEXT NOT NULL REFERENCES sinks (name) ON DELETE CASCADE,
              uid TEXT NOT NULL CHECK (length(uid) = 32),
              journal_offset INTEGER NOT NULL CHECK (journal_offset >= 0),
              position INTEGER NOT NULL CHECK (position >= 1),
              sequence INTEGER NOT NULL CHECK (sequence >= 1),
              event_type TEXT NOT NULL CHECK (event_type <> ''),
              attempts INTEGER NOT NULL CHECK (attempts >= 0),
              state TEXT NOT NULL CHECK (state IN ('Retrying', 'DeadLettered', 'Following')),
              retry_at TEXT CHECK ((retry_at IS NOT NULL) = (state = 'Retrying')),
              reason TEXT NOT NULL,
              PRIMARY KEY (sink, uid)
            ) STRICT, WITHOUT ROWID;
            """
        ),
        (
            8, "revisions",
            // The current revision of each agent is known: the fields that restarted when this was written. When it began,
            // and by whom, is not.
            """
            CREATE TABLE revisions (
              uid TEXT NOT NULL REFERENCES objects (uid) ON DELETE CASCADE,
              revision INTEGER NOT NULL CHECK (revision >= 1),
              template TEXT NOT NULL CHECK (json_valid(template)),
              at_ms INTEGER,
              actor TEXT CHECK (actor <> ''),
              cause TEXT,
              PRIMARY KEY (uid, revision)
            ) STRICT, WITHOUT ROWID;
            INSERT INTO revisions (uid, revision, template, cause)
            SELECT uid, revision, (
              SELECT json_group_object(key, json(content -> ('$.spec.' || key))) FROM json_each(content, '$.spec')
              WHERE key IN ('driver', 'image', 'imageArchive', 'command', 'args', 'workingDir', 'env', 'envFrom',
                'resources', 'startupProbe', 'readinessProbe', 'livenessProbe', 'securityContext', 'volumes',
                'volumeMounts', 'network', 'filesystem')
            ), json_extract(content, '$.metadata.annotations."kubernetes.io/change-cause"')
            FROM objects WHERE revision IS NOT NULL;
            """
        ),
        (
            9, "measurements",
            // What Objectives are read from: counts in buckets of time. The clock that they slide by is in `meta`.
            """
            CREATE TABLE measurements (
              measured TEXT NOT NULL CHECK (measured IN ('starts', 'requests', 'deliveries')),
              start_ms INTEGER NOT NULL,
              length_ms INTEGER NOT NULL CHECK (length_ms IN (60000, 600000, 3600000)),
              good INTEGER NOT NULL CHECK (good >= 0),
              bad INTEGER NOT NULL CHECK (bad >= 0),
              latencies TEXT NOT NULL CHECK (json_valid(latencies)),
              PRIMARY KEY (measured, start_ms),
              CHECK (start_ms % length_ms = 0)
            ) STRICT, WITHOUT ROWID;
            """
        ),
    ]
}
