BEGIN;
UPDATE applied SET version = 2 WHERE organization = 'acme' AND resource = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003' AND version = 1;
UPDATE groups SET version = 2 WHERE organization = 'acme' AND id = 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003';
INSERT INTO members (organization, group_id, member_id, member_type) VALUES
  ('acme', 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003', '8b6e2a40-1f0d-4e0c-8a43-77d0b6c4b002', 'User');
COMMIT;
