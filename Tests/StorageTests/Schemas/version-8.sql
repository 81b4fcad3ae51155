PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO "audit" VALUES(21,1795624868863,'system:reconciler','failed','Agent','default','broken','d2a796e277836c2db96f584ee8edd771','','Error',21);
INSERT INTO "audit" VALUES(22,1795624868868,'system:reconciler','ready','Agent','default','steady','356989c746b6eda261ba1df6965a2493','','Started',22);
INSERT INTO "audit" VALUES(23,1795624868868,'system:reconciler','ready','Agent','default','steady','356989c746b6eda261ba1df6965a2493','','Started',23);
INSERT INTO "audit" VALUES(24,1795624868869,'system:reconciler','backing_off','Agent','default','broken','d2a796e277836c2db96f584ee8edd771','','BackOff',24);
INSERT INTO "audit" VALUES(25,1795624869887,'uid:0','created','Source','default','fleet','f43af22c7cc649899d6e7fabb0c5a6b2','s.yaml:1','',25);
INSERT INTO "audit" VALUES(26,1795624869892,'source:default/fleet','sync','Source','default','fleet','f43af22c7cc649899d6e7fabb0c5a6b2','','',26);
CREATE TABLE consumers (
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL CHECK (position >= 0),
  journal_offset INTEGER NOT NULL CHECK (journal_offset >= 0),
  expired INTEGER NOT NULL CHECK (expired IN (0, 1))
) STRICT, WITHOUT ROWID;
INSERT INTO "consumers" VALUES('reader',20,4000,0);
CREATE TABLE event_schemas (
  event_type TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  schema TEXT NOT NULL CHECK (json_valid(schema)),
  PRIMARY KEY (event_type, version)
) STRICT, WITHOUT ROWID;
INSERT INTO "event_schemas" VALUES('agent.created',1,'{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"agent.created","type":"object","properties":{"event_id":{"type":"string"},"event_type":{"const":"agent.created"},"schema_version":{"const":1},"occurred_at":{"type":"string"},"trace_id":{"type":"string"},"tenant_id":{"type":"string"},"agent_id":{"type":"string"},"object":{"type":"object","required":["kind","namespace","name","uid"]},"sequence":{"type":"integer"},"position":{"type":"integer"},"generation":{"type":"integer"},"revision":{"type":"integer"},"run_id":{"type":"string"},"data":{"type":"object"}},"required":["event_id","event_type","schema_version","occurred_at","tenant_id","object","sequence","position","data"]}');
INSERT INTO "event_schemas" VALUES('agent.deleted',1,'{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"agent.deleted","type":"object","properties":{"event_id":{"type":"string"},"event_type":{"const":"agent.deleted"},"schema_version":{"const":1},"occurred_at":{"type":"string"},"trace_id":{"type":"string"},"tenant_id":{"type":"string"},"agent_id":{"type":"string"},"object":{"type":"object","required":["kind","namespace","name","uid"]},"sequence":{"type":"integer"},"position":{"type":"integer"},"generation":{"type":"integer"},"revision":{"type":"integer"},"run_id":{"type":"string"},"data":{"type":"object"}},"required":["event_id","event_type","schema_version","occurred_at","tenant_id","object","sequence","position","data"]}');
INSERT INTO "event_schemas" VALUES('agent.updated',1,'{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"agent.updated","type":"object","properties":{"event_id":{"type":"string"},"event_type":{"const":"agent.updated"},"schema_version":{"const":1},"occurred_at":{"type":"string"},"trace_id":{"type":"string"},"tenant_id":{"type":"string"},"agent_id":{"type":"string"},"object":{"type":"object","required":["kind","namespace","name","uid"]},"sequence":{"type":"integer"},"position":{"type":"integer"},"generation":{"type":"integer"},"revision":{"type":"integer"},"run_id":{"type":"string"},"data":{"type":"object"}},"required":["event_id","event_type","schema_version","occurred_at","tenant_id","object","sequence","position","data"]}');
CREATE TABLE idempotency (
  principal TEXT NOT NULL CHECK (principal <> ''),
  key TEXT NOT NULL CHECK (key <> ''),
  digest TEXT NOT NULL,
  answer TEXT NOT NULL CHECK (json_valid(answer)),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('uid:0','deploy-1','2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881','{"created":true,"kind":"Agent","namespace":"default","name":"broken","uid":"d2a796e277836c2db96f584ee8edd771","createdAtMs":1795624868844}',1795624868844);
CREATE TABLE kinds (
  name TEXT PRIMARY KEY CHECK (name <> ''),
  namespaced INTEGER NOT NULL CHECK (namespaced IN (0, 1)),
  revised INTEGER NOT NULL CHECK (revised IN (0, 1))
) STRICT, WITHOUT ROWID;
INSERT INTO "kinds" VALUES('Agent',1,1);
INSERT INTO "kinds" VALUES('ConfigMap',1,0);
INSERT INTO "kinds" VALUES('Namespace',0,0);
INSERT INTO "kinds" VALUES('Secret',1,0);
INSERT INTO "kinds" VALUES('Source',1,0);
CREATE TABLE ledgers (
  uid TEXT PRIMARY KEY,
  last_sequence INTEGER NOT NULL,
  published_sequence INTEGER NOT NULL CHECK (published_sequence <= last_sequence)
) STRICT, WITHOUT ROWID;
INSERT INTO "ledgers" VALUES('2af09e749401df40d18e4723ec8738fe',1,1);
INSERT INTO "ledgers" VALUES('331fb1b7f2696cf32c24c3954843f775',1,1);
INSERT INTO "ledgers" VALUES('356989c746b6eda261ba1df6965a2493',9,8);
INSERT INTO "ledgers" VALUES('44c855e2eb742b9a4d4337ce159c3037',1,1);
INSERT INTO "ledgers" VALUES('67e43d7256d49d09de9d32e6e2b777c0',2,2);
INSERT INTO "ledgers" VALUES('93d2c0edecd1c67aab32eeffc5a32f4a',5,4);
INSERT INTO "ledgers" VALUES('d2a796e277836c2db96f584ee8edd771',5,4);
INSERT INTO "ledgers" VALUES('f43af22c7cc649899d6e7fabb0c5a6b2',2,2);
CREATE TABLE meta (
  key TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('position','26');
INSERT INTO "meta" VALUES('resource_version','22');
INSERT INTO "meta" VALUES('store_id','ff8719ea7c29c48ac704b6f6d72310b6');
CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_ms INTEGER NOT NULL) STRICT;
INSERT INTO "migrations" VALUES(1,'heart','c385defd3fd7648a56bed924e27e5835234420a0df7e7564224bf3bee978c094',1795624868001);
INSERT INTO "migrations" VALUES(2,'isolations','7bfa11ea55abeff769c56cf93ce4825f942a0680b29f81b6ded5629bb92b393c',1795624868002);
INSERT INTO "migrations" VALUES(3,'sources','70399d79ce252c62ef0662b15ba1f3c6259ba34e755c67bce69ea8ab59d086c6',1795624868003);
INSERT INTO "migrations" VALUES(4,'kinds','b3c88e5ab50ba72d48737e576291e677eee32a4e4f4b0b82985984d4f3e6673b',1795624868002);
INSERT INTO "migrations" VALUES(5,'sealed secrets','3f12886e0b5a5b760a25909ab97a9fb8183cf237e7cd7026a22f1d1565e86ed6',1795624868002);
INSERT INTO "migrations" VALUES(6,'history by object','510e5f172a092295e51347892e2e3f2a4a6201ab426058df41aaf5de84cb6318',1795624868003);
INSERT INTO "migrations" VALUES(7,'sinks','bba6682576508ab7067daca447c98b359247bc7cd3973ba9cbfc4d2b6095431e',1795624868003);
INSERT INTO "migrations" VALUES(8,'revisions','4adf6fffd0d7f10d5227aba9ac5e2ed75fd1f476241aa1be17bc972b111216f4',1795624868003);
CREATE TABLE "objects" (
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
INSERT INTO "objects" VALUES('2af09e749401df40d18e4723ec8738fe','Namespace','','default',1,1,1795624868788,'{}','[{"manager":"agentos-daemon","operation":"Apply","timeMs":1795624868788,"fieldsV1":{}}]',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "objects" VALUES('331fb1b7f2696cf32c24c3954843f775','Secret','default','token',1,2,1795624868826,'{"type":"Opaque"}','[{"manager":"agentos-apply","operation":"Apply","timeMs":1795624868826,"fieldsV1":{"f:data":{"f:KEY":{}}}}]',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "objects" VALUES('356989c746b6eda261ba1df6965a2493','Agent','default','steady',1,18,1795624868840,'{"metadata":{"labels":{"team":"blue"},"finalizers":["example.com/hold"]},"spec":{"command":["sh","-c","trap ''exit 0'' TERM; while :; do sleep 0.2; done"],"env":[{"name":"KEY","valueFrom":{"secretKeyRef":{"name":"token","key":"KEY","optional":false}}}],"envFrom":[{"configMapRef":{"name":"common","optional":false},"prefix":""}],"replicas":2,"driver":"process","suspend":false,"suspendMode":"Stop","restartPolicy":"Always","backoff":{"initialSeconds":1,"maxSeconds":300,"factor":2,"resetAfterSeconds":600},"terminationGracePeriodSeconds":10,"stopSignal":"SIGTERM","priority":0,"consistency":{"readyRequires":"Published"},"updateStrategy":{"type":"RollingUpdate","maxUnavailable":1},"progressDeadlineSeconds":600}}','[{"manager":"agentos-apply","operation":"Apply","timeMs":1795624868840,"fieldsV1":{"f:metadata":{"f:finalizers":{},"f:labels":{"f:team":{}}},"f:spec":{"f:command":{},"f:env":{},"f:envFrom":{},"f:replicas":{}}}}]',NULL,NULL,1,200000,'{"observedGeneration":1,"phase":"Ready","progressBy":"2264784976940907677:1714600:1795625468840:600000","readyReplicas":2,"updatedReplicas":2,"isStarted":true,"isReady":true,"isCompleted":false,"hasLive":true,"conditions":[{"type":"Scheduled","status":true,"reason":"Scheduled","message":"all replicas that should run were admitted","observedGeneration":1,"lastTransitionMs":1795624868840},{"type":"Published","status":true,"reason":"Published","message":"no start waits for its events","observedGeneration":1,"lastTransitionMs":1795624868868},{"type":"Ready","status":true,"reason":"AllReplicasReady","message":"2 of 2 replicas are ready","observedGeneration":1,"lastTransitionMs":1795624868868},{"type":"Progressing","status":true,"reason":"Complete","message":"nothing is left to do","observedGeneration":1,"lastTransitionMs":1795624868840}]}',NULL);
INSERT INTO "objects" VALUES('44c855e2eb742b9a4d4337ce159c3037','ConfigMap','default','common',1,3,1795624868835,'{"data":{"COLOUR":"green"}}','[{"manager":"agentos-apply","operation":"Apply","timeMs":1795624868835,"fieldsV1":{"f:data":{"f:COLOUR":{}}}}]',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "objects" VALUES('67e43d7256d49d09de9d32e6e2b777c0','Agent','default','resting',1,11,1795624868844,'{"spec":{"command":["sleep","1000"],"suspend":true,"driver":"process","replicas":1,"suspendMode":"Stop","restartPolicy":"Always","backoff":{"initialSeconds":1,"maxSeconds":300,"factor":2,"resetAfterSeconds":600},"terminationGracePeriodSeconds":10,"stopSignal":"SIGTERM","priority":0,"consistency":{"readyRequires":"Published"},"updateStrategy":{"type":"RollingUpdate","maxUnavailable":1},"progressDeadlineSeconds":600}}','[{"manager":"agentos-apply","operation":"Apply","timeMs":1795624868844,"fieldsV1":{"f:spec":{"f:command":{},"f:suspend":{}}}}]',NULL,NULL,1,200003,'{"observedGeneration":1,"phase":"Suspended","progressBy":"2264784976940907677:1714604:1795625468844:600000","readyReplicas":0,"updatedReplicas":0,"isStarted":false,"isReady":false,"isCompleted":false,"hasLive":false,"conditions":[{"type":"Scheduled","status":true,"reason":"Scheduled","message":"all replicas that should run were admitted","observedGeneration":1,"lastTransitionMs":1795624868844},{"type":"Published","status":true,"reason":"Published","message":"no start waits for its events","observedGeneration":1,"lastTransitionMs":1795624868844},{"type":"Ready","status":false,"reason":"Suspended","message":"suspend is set","observedGeneration":1,"lastTransitionMs":1795624868844},{"type":"Progressing","status":true,"reason":"Complete","message":"nothing is left to do","observedGeneration":1,"lastTransitionMs":1795624868844}]}',NULL);
INSERT INTO "objects" VALUES('93d2c0edecd1c67aab32eeffc5a32f4a','Agent','default','once',1,17,1795624868844,'{"spec":{"command":["true"],"restartPolicy":"Never","driver":"process","replicas":1,"suspend":false,"suspendMode":"Stop","backoff":{"initialSeconds":1,"maxSeconds":300,"factor":2,"resetAfterSeconds":600},"terminationGracePeriodSeconds":10,"stopSignal":"SIGTERM","priority":0,"consistency":{"readyRequires":"Published"},"updateStrategy":{"type":"RollingUpdate","maxUnavailable":1},"progressDeadlineSeconds":600}}','[{"manager":"agentos-apply","operation":"Apply","timeMs":1795624868844,"fieldsV1":{"f:spec":{"f:command":{},"f:restartPolicy":{}}}}]',NULL,NULL,1,200001,'{"observedGeneration":1,"phase":"Completed","progressBy":"2264784976940907677:1714604:1795625468844:600000","readyReplicas":0,"updatedReplicas":1,"isStarted":true,"isReady":false,"isCompleted":true,"hasLive":false,"conditions":[{"type":"Scheduled","status":true,"reason":"Scheduled","message":"all replicas that should run were admitted","observedGeneration":1,"lastTransitionMs":1795624868844},{"type":"Published","status":true,"reason":"Published","message":"no start waits for its events","observedGeneration":1,"lastTransitionMs":1795624868860},{"type":"Ready","status":false,"reason":"Completed","message":"all replicas have completed","observedGeneration":1,"lastTransitionMs":1795624868844},{"type":"Progressing","status":true,"reason":"Complete","message":"nothing is left to do","observedGeneration":1,"lastTransitionMs":1795624868844}]}',NULL);
INSERT INTO "objects" VALUES('d2a796e277836c2db96f584ee8edd771','Agent','default','broken',1,19,1795624868844,'{"spec":{"backoff":{"initialSeconds":600,"maxSeconds":600,"factor":2,"resetAfterSeconds":600},"command":["false"],"driver":"process","replicas":1,"suspend":false,"suspendMode":"Stop","restartPolicy":"Always","terminationGracePeriodSeconds":10,"stopSignal":"SIGTERM","priority":0,"consistency":{"readyRequires":"Published"},"updateStrategy":{"type":"RollingUpdate","maxUnavailable":1},"progressDeadlineSeconds":600}}','[{"manager":"agentos-apply","operation":"Apply","timeMs":1795624868844,"fieldsV1":{"f:spec":{"f:backoff":{"f:initialSeconds":{},"f:maxSeconds":{}},"f:command":{}}}}]',NULL,NULL,1,200002,'{"observedGeneration":1,"phase":"BackingOff","progressBy":"2264784976940907677:1714604:1795625468844:600000","readyReplicas":0,"updatedReplicas":0,"isStarted":false,"isReady":false,"isCompleted":false,"hasLive":false,"conditions":[{"type":"Scheduled","status":true,"reason":"Scheduled","message":"all replicas that should run were admitted","observedGeneration":1,"lastTransitionMs":1795624868844},{"type":"Published","status":true,"reason":"Published","message":"no start waits for its events","observedGeneration":1,"lastTransitionMs":1795624868844},{"type":"Ready","status":false,"reason":"ReplicaFailed","message":"0 of 1 replicas are ready; replica 0 exited with code 1","observedGeneration":1,"lastTransitionMs":1795624868844},{"type":"Progressing","status":true,"reason":"Working","message":"0 of 1 replicas are ready","observedGeneration":1,"lastTransitionMs":1795624868844}]}',NULL);
INSERT INTO "objects" VALUES('f43af22c7cc649899d6e7fabb0c5a6b2','Source','default','fleet',1,22,1795624869887,'{"spec":{"path":"/srv/fleet","interval":"30s","suspend":false,"drift":"Correct","prune":true,"pruneLimitPercent":50,"timeoutSeconds":300}}','[{"manager":"agentos-apply","operation":"Apply","timeMs":1795624869887,"fieldsV1":{"f:spec":{"f:path":{}}}}]',NULL,NULL,NULL,NULL,'{"observedGeneration":1,"revision":"","syncedAtMs":0,"declared":0,"applied":0,"pruned":0,"drifted":[],"failed":1,"errors":["/srv/fleet is not allowed; the daemon''s option --source-path DIRECTORY allows what is below"],"pruneWaits":0,"readyBy":"0:0:0:0","conditions":[{"type":"Ready","status":false,"reason":"SyncFailed","message":"/srv/fleet is not allowed; the daemon''s option --source-path DIRECTORY allows what is below","observedGeneration":1,"lastTransitionMs":1795624869887},{"type":"Synced","status":false,"reason":"SyncFailed","message":"/srv/fleet is not allowed; the daemon''s option --source-path DIRECTORY allows what is below","observedGeneration":1,"lastTransitionMs":1795624869887}]}',NULL);
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
INSERT INTO "outbox" VALUES(17,'356989c746b6eda261ba1df6965a2493',6,'run.started','default',1795624868854,'{"event_id":"356989c7-46b6-eda2-61ba-1df6965a2493-6","event_type":"run.started","schema_version":1,"occurred_at":"2026-11-25T16:41:08.854Z","trace_id":"356989c746b6eda2fff197b015a4a0a8","tenant_id":"default","agent_id":"356989c7-46b6-eda2-61ba-1df6965a2493","object":{"kind":"Agent","namespace":"default","name":"steady","uid":"356989c7-46b6-eda2-61ba-1df6965a2493"},"sequence":6,"position":17,"generation":1,"revision":1,"run_id":"356989c746b6eda261ba1df6965a2493-00000-0000000001","data":{"ordinal":0,"revision":1,"reason":"InstanceSeen"}}','Published',0,NULL,NULL,1795624868868);
INSERT INTO "outbox" VALUES(18,'356989c746b6eda261ba1df6965a2493',7,'run.started','default',1795624868856,'{"event_id":"356989c7-46b6-eda2-61ba-1df6965a2493-7","event_type":"run.started","schema_version":1,"occurred_at":"2026-11-25T16:41:08.856Z","trace_id":"356989c746b6eda2fff197b015a4a0a8","tenant_id":"default","agent_id":"356989c7-46b6-eda2-61ba-1df6965a2493","object":{"kind":"Agent","namespace":"default","name":"steady","uid":"356989c7-46b6-eda2-61ba-1df6965a2493"},"sequence":7,"position":18,"generation":1,"revision":1,"run_id":"356989c746b6eda261ba1df6965a2493-00001-0000000001","data":{"ordinal":1,"revision":1,"reason":"InstanceSeen"}}','Published',0,NULL,NULL,1795624868868);
INSERT INTO "outbox" VALUES(19,'93d2c0edecd1c67aab32eeffc5a32f4a',4,'run.started','default',1795624868857,'{"event_id":"93d2c0ed-ecd1-c67a-ab32-eeffc5a32f4a-4","event_type":"run.started","schema_version":1,"occurred_at":"2026-11-25T16:41:08.857Z","trace_id":"93d2c0edecd1c67a496a68b944edab5f","tenant_id":"default","agent_id":"93d2c0ed-ecd1-c67a-ab32-eeffc5a32f4a","object":{"kind":"Agent","namespace":"default","name":"once","uid":"93d2c0ed-ecd1-c67a-ab32-eeffc5a32f4a"},"sequence":4,"position":19,"generation":1,"revision":1,"run_id":"93d2c0edecd1c67aab32eeffc5a32f4a-00000-0000000001","data":{"ordinal":0,"revision":1,"reason":"InstanceSeen"}}','Published',0,NULL,NULL,1795624868868);
INSERT INTO "outbox" VALUES(20,'93d2c0edecd1c67aab32eeffc5a32f4a',5,'run.completed','default',1795624868860,'{"event_id":"93d2c0ed-ecd1-c67a-ab32-eeffc5a32f4a-5","event_type":"run.completed","schema_version":1,"occurred_at":"2026-11-25T16:41:08.860Z","trace_id":"93d2c0edecd1c67a496a68b944edab5f","tenant_id":"default","agent_id":"93d2c0ed-ecd1-c67a-ab32-eeffc5a32f4a","object":{"kind":"Agent","namespace":"default","name":"once","uid":"93d2c0ed-ecd1-c67a-ab32-eeffc5a32f4a"},"sequence":5,"position":20,"generation":1,"revision":1,"run_id":"93d2c0edecd1c67aab32eeffc5a32f4a-00000-0000000001","data":{"ordinal":0,"revision":1,"reason":"Completed","exitCode":0}}','Retrying',2,'2264784976940907677:1706708:1795625460948:592079','no',NULL);
INSERT INTO "outbox" VALUES(21,'d2a796e277836c2db96f584ee8edd771',4,'run.failed','default',1795624868863,'{"event_id":"d2a796e2-7783-6c2d-b96f-584ee8edd771-4","event_type":"run.failed","schema_version":1,"occurred_at":"2026-11-25T16:41:08.863Z","trace_id":"d2a796e277836c2d57a6d20868385386","tenant_id":"default","agent_id":"d2a796e2-7783-6c2d-b96f-584ee8edd771","object":{"kind":"Agent","namespace":"default","name":"broken","uid":"d2a796e2-7783-6c2d-b96f-584ee8edd771"},"sequence":4,"position":21,"generation":1,"revision":1,"run_id":"d2a796e277836c2db96f584ee8edd771-00000-0000000001","data":{"ordinal":0,"revision":1,"reason":"Error","exitCode":1}}','Published',0,NULL,NULL,1795624868870);
INSERT INTO "outbox" VALUES(22,'356989c746b6eda261ba1df6965a2493',8,'run.ready','default',1795624868868,'{"event_id":"356989c7-46b6-eda2-61ba-1df6965a2493-8","event_type":"run.ready","schema_version":1,"occurred_at":"2026-11-25T16:41:08.868Z","trace_id":"356989c746b6eda2fff197b015a4a0a8","tenant_id":"default","agent_id":"356989c7-46b6-eda2-61ba-1df6965a2493","object":{"kind":"Agent","namespace":"default","name":"steady","uid":"356989c7-46b6-eda2-61ba-1df6965a2493"},"sequence":8,"position":22,"generation":1,"revision":1,"run_id":"356989c746b6eda261ba1df6965a2493-00000-0000000001","data":{"ordinal":0,"revision":1,"reason":"Started"}}','Published',0,NULL,NULL,1795624868870);
INSERT INTO "outbox" VALUES(23,'356989c746b6eda261ba1df6965a2493',9,'run.ready','default',1795624868868,'{"event_id":"356989c7-46b6-eda2-61ba-1df6965a2493-9","event_type":"run.ready","schema_version":1,"occurred_at":"2026-11-25T16:41:08.868Z","trace_id":"356989c746b6eda2fff197b015a4a0a8","tenant_id":"default","agent_id":"356989c7-46b6-eda2-61ba-1df6965a2493","object":{"kind":"Agent","namespace":"default","name":"steady","uid":"356989c7-46b6-eda2-61ba-1df6965a2493"},"sequence":9,"position":23,"generation":1,"revision":1,"run_id":"356989c746b6eda261ba1df6965a2493-00001-0000000001","data":{"ordinal":1,"revision":1,"reason":"Started"}}','DeadLettered',10,NULL,'no',NULL);
INSERT INTO "outbox" VALUES(24,'d2a796e277836c2db96f584ee8edd771',5,'run.backing_off','default',1795624868869,'{"event_id":"d2a796e2-7783-6c2d-b96f-584ee8edd771-5","event_type":"run.backing_off","schema_version":1,"occurred_at":"2026-11-25T16:41:08.869Z","trace_id":"d2a796e277836c2d57a6d20868385386","tenant_id":"default","agent_id":"d2a796e2-7783-6c2d-b96f-584ee8edd771","object":{"kind":"Agent","namespace":"default","name":"broken","uid":"d2a796e2-7783-6c2d-b96f-584ee8edd771"},"sequence":5,"position":24,"generation":1,"revision":1,"run_id":"d2a796e277836c2db96f584ee8edd771-00000-0000000001","data":{"ordinal":0,"revision":1,"reason":"BackOff","retryInMs":592079}}','OutboxWritten',0,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(25,'f43af22c7cc649899d6e7fabb0c5a6b2',1,'source.created','default',1795624869887,'{"event_id":"f43af22c-7cc6-4989-9d6e-7fabb0c5a6b2-1","event_type":"source.created","schema_version":1,"occurred_at":"2026-11-25T16:41:09.887Z","trace_id":"f43af22c7cc649893ba5f965301022c7","tenant_id":"default","object":{"kind":"Source","namespace":"default","name":"fleet","uid":"f43af22c-7cc6-4989-9d6e-7fabb0c5a6b2"},"sequence":1,"position":25,"generation":1,"data":{"manager":"agentos-apply"}}','Published',0,NULL,NULL,1795624869894);
INSERT INTO "outbox" VALUES(26,'f43af22c7cc649899d6e7fabb0c5a6b2',2,'source.failed','default',1795624869892,'{"event_id":"f43af22c-7cc6-4989-9d6e-7fabb0c5a6b2-2","event_type":"source.failed","schema_version":1,"occurred_at":"2026-11-25T16:41:09.892Z","trace_id":"f43af22c7cc649893ba5f965301022c7","tenant_id":"default","object":{"kind":"Source","namespace":"default","name":"fleet","uid":"f43af22c-7cc6-4989-9d6e-7fabb0c5a6b2"},"sequence":2,"position":26,"generation":1,"data":{"sourceRevision":"","failed":1,"errors":["/srv/fleet is not allowed; the daemon''s option --source-path DIRECTORY allows what is below"]}}','Published',0,NULL,NULL,1795624869899);
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
INSERT INTO "parked" VALUES('hook','d2a796e277836c2db96f584ee8edd771',3000,15,3,'run.ready',10,'DeadLettered',NULL,'it was refused');
CREATE TABLE "replicas" (
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
INSERT INTO "replicas" VALUES('356989c746b6eda261ba1df6965a2493',0,1,0,0,'Ready','356989c746b6eda261ba1df6965a2493-00000-0000000001',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "replicas" VALUES('356989c746b6eda261ba1df6965a2493',1,1,0,0,'Ready','356989c746b6eda261ba1df6965a2493-00001-0000000001',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "replicas" VALUES('67e43d7256d49d09de9d32e6e2b777c0',0,0,0,0,'Stopped',NULL,NULL,NULL,'Suspended',NULL,NULL,NULL);
INSERT INTO "replicas" VALUES('93d2c0edecd1c67aab32eeffc5a32f4a',0,1,0,0,'Completed','93d2c0edecd1c67aab32eeffc5a32f4a-00000-0000000001',NULL,1,NULL,NULL,NULL,'{"code":0,"reason":"Completed","message":"","atMs":1795624868860}');
INSERT INTO "replicas" VALUES('d2a796e277836c2db96f584ee8edd771',0,1,0,1,'BackingOff',NULL,NULL,NULL,NULL,'2264784976940907677:1706708:1795625460948:592079',1,'{"code":1,"reason":"Error","message":"","atMs":1795624868863}');
CREATE TABLE revisions (
  uid TEXT NOT NULL REFERENCES objects (uid) ON DELETE CASCADE,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  template TEXT NOT NULL CHECK (json_valid(template)),
  at_ms INTEGER,
  actor TEXT CHECK (actor <> ''),
  cause TEXT,
  PRIMARY KEY (uid, revision)
) STRICT, WITHOUT ROWID;
INSERT INTO "revisions" VALUES('356989c746b6eda261ba1df6965a2493',1,'{"command":["sh","-c","trap ''exit 0'' TERM; while :; do sleep 0.2; done"],"env":[{"name":"KEY","valueFrom":{"secretKeyRef":{"name":"token","key":"KEY","optional":false}}}],"envFrom":[{"configMapRef":{"name":"common","optional":false},"prefix":""}],"driver":"process"}',NULL,NULL,NULL);
INSERT INTO "revisions" VALUES('67e43d7256d49d09de9d32e6e2b777c0',1,'{"command":["sleep","1000"],"driver":"process"}',NULL,NULL,NULL);
INSERT INTO "revisions" VALUES('93d2c0edecd1c67aab32eeffc5a32f4a',1,'{"command":["true"],"driver":"process"}',NULL,NULL,NULL);
INSERT INTO "revisions" VALUES('d2a796e277836c2db96f584ee8edd771',1,'{"command":["false"],"driver":"process"}',NULL,NULL,NULL);
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
  exit TEXT, facts TEXT CHECK (facts IS NULL OR json_valid(facts)), startup_by TEXT,
  PRIMARY KEY (uid, ordinal, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO "runs" VALUES('356989c746b6eda261ba1df6965a2493',0,1,1,'Ready','{"command":["sh","-c","trap ''exit 0'' TERM; while :; do sleep 0.2; done"],"env":[{"name":"KEY","valueFrom":{"secretKeyRef":{"name":"token","key":"KEY","optional":false}}}],"envFrom":[{"configMapRef":{"name":"common","optional":false},"prefix":""}],"replicas":2,"driver":"process","suspend":false,"suspendMode":"Stop","restartPolicy":"Always","backoff":{"initialSeconds":1,"maxSeconds":300,"factor":2,"resetAfterSeconds":600},"terminationGracePeriodSeconds":10,"stopSignal":"SIGTERM","priority":0,"consistency":{"readyRequires":"Published"},"updateStrategy":{"type":"RollingUpdate","maxUnavailable":1},"progressDeadlineSeconds":600}','{"ConfigMap/common":3,"Secret/token":2}',1795624868840,'2264784976940907677:1144600:1795624898840:30000',17514,1795624868851,'2264784976940907677:1114628:1795624868868',6,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('356989c746b6eda261ba1df6965a2493',1,1,1,'Ready','{"command":["sh","-c","trap ''exit 0'' TERM; while :; do sleep 0.2; done"],"env":[{"name":"KEY","valueFrom":{"secretKeyRef":{"name":"token","key":"KEY","optional":false}}}],"envFrom":[{"configMapRef":{"name":"common","optional":false},"prefix":""}],"replicas":2,"driver":"process","suspend":false,"suspendMode":"Stop","restartPolicy":"Always","backoff":{"initialSeconds":1,"maxSeconds":300,"factor":2,"resetAfterSeconds":600},"terminationGracePeriodSeconds":10,"stopSignal":"SIGTERM","priority":0,"consistency":{"readyRequires":"Published"},"updateStrategy":{"type":"RollingUpdate","maxUnavailable":1},"progressDeadlineSeconds":600}','{"ConfigMap/common":3,"Secret/token":2}',1795624868840,'2264784976940907677:1144600:1795624898840:30000',17516,1795624868851,'2264784976940907677:1114628:1795624868868',7,NULL,NULL,NULL);
INSERT INTO "runs" VALUES('93d2c0edecd1c67aab32eeffc5a32f4a',0,1,1,'Completed','{"command":["true"],"restartPolicy":"Never","driver":"process","replicas":1,"suspend":false,"suspendMode":"Stop","backoff":{"initialSeconds":1,"maxSeconds":300,"factor":2,"resetAfterSeconds":600},"terminationGracePeriodSeconds":10,"stopSignal":"SIGTERM","priority":0,"consistency":{"readyRequires":"Published"},"updateStrategy":{"type":"RollingUpdate","maxUnavailable":1},"progressDeadlineSeconds":600}','{}',1795624868844,'2264784976940907677:1144604:1795624898844:30000',17520,1795624868854,NULL,4,'{"code":0,"reason":"Completed","message":"","atMs":1795624868860}',NULL,NULL);
INSERT INTO "runs" VALUES('d2a796e277836c2db96f584ee8edd771',0,1,1,'BackingOff','{"backoff":{"initialSeconds":600,"maxSeconds":600,"factor":2,"resetAfterSeconds":600},"command":["false"],"driver":"process","replicas":1,"suspend":false,"suspendMode":"Stop","restartPolicy":"Always","terminationGracePeriodSeconds":10,"stopSignal":"SIGTERM","priority":0,"consistency":{"readyRequires":"Published"},"updateStrategy":{"type":"RollingUpdate","maxUnavailable":1},"progressDeadlineSeconds":600}','{}',1795624868844,'2264784976940907677:1144604:1795624898844:30000',NULL,NULL,NULL,NULL,'{"code":1,"reason":"Error","message":"","atMs":1795624868863}',NULL,NULL);
CREATE TABLE secrets (
  uid TEXT PRIMARY KEY REFERENCES objects (uid) ON DELETE CASCADE,
  key_id TEXT NOT NULL CHECK (length(key_id) = 16),
  sealed BLOB NOT NULL CHECK (length(sealed) >= 28)
) STRICT, WITHOUT ROWID;
INSERT INTO "secrets" VALUES('331fb1b7f2696cf32c24c3954843f775','8da8064b842a6863',X'FEE883FC45F171F9DC5700FF11991D14BCEF172A6367C477A8D6CA266CF8C5AD451336FFFC7F15A4C382BE6BC136578330E9');
CREATE TABLE sinks (
  name TEXT PRIMARY KEY CHECK (name <> ''),
  journal_offset INTEGER NOT NULL CHECK (journal_offset >= 0),
  position INTEGER NOT NULL CHECK (position >= 0),
  gone TEXT CHECK (gone <> '')
) STRICT, WITHOUT ROWID;
INSERT INTO "sinks" VALUES('hook',4000,20,NULL);
CREATE TABLE tombstones (uid TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
INSERT INTO "tombstones" VALUES('0123456789abcdef0123456789abcdef');
CREATE INDEX outbox_pending ON outbox (position) WHERE state IN ('OutboxWritten', 'Retrying', 'DeadLettered');
CREATE TRIGGER objects_are_made_as_their_kind BEFORE INSERT ON objects
WHEN NOT EXISTS (SELECT 1 FROM kinds WHERE name = NEW.kind AND namespaced = (NEW.namespace <> '')
  AND revised = (NEW.revision IS NOT NULL))
BEGIN SELECT RAISE(ABORT, 'the object is not as its kind is described'); END;
CREATE TRIGGER objects_stay_as_their_kind BEFORE UPDATE OF kind, namespace, revision ON objects
WHEN NOT EXISTS (SELECT 1 FROM kinds WHERE name = NEW.kind AND namespaced = (NEW.namespace <> '')
  AND revised = (NEW.revision IS NOT NULL))
BEGIN SELECT RAISE(ABORT, 'the object is not as its kind is described'); END;
CREATE INDEX idempotency_by_age ON idempotency (at_ms);
CREATE INDEX audit_by_object ON audit (kind, namespace, name, id);
COMMIT;
