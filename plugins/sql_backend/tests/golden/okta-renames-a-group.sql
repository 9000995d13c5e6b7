BEGIN;
UPDATE applied SET version = 2 WHERE organization = 'acme' AND resource = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003' AND version = 1;
UPDATE groups SET version = 2, display_name = 'Sales Europe', document = '{"displayName":"Sales Europe"}' WHERE organization = 'acme' AND id = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003';
COMMIT;
