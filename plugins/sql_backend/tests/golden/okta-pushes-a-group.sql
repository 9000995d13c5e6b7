BEGIN;
INSERT INTO applied (organization, resource, version) VALUES
  ('acme', 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003', 1);
INSERT INTO groups (organization, id, version, display_name, external_id, document) VALUES
  ('acme', 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003', 1, 'Sales', NULL, '{"displayName":"Sales"}');
INSERT INTO members (organization, group_id, member_id, member_type) VALUES
  ('acme', 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003', '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01', 'User'),
  ('acme', 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003', '8b6e2a40-1f0d-4e0c-8a43-77d0b6c4b002', 'User');
COMMIT;
