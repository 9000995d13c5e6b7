BEGIN;
INSERT INTO applied (organization, resource, version) VALUES
  ('acme', 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003', 1);
INSERT INTO groups (organization, id, version, display_name, external_id, document) VALUES
  ('acme', 'c2a9d7f4-3b61-4d5e-9f10-5e8f7a2d9003', 1, 'Sales', NULL, '{"displayName":"Sales"}');
COMMIT;
