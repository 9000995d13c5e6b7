BEGIN;
INSERT INTO applied (organization, resource, version) VALUES
  ('acme', '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01', 1);
INSERT INTO users (organization, id, version, user_name, external_id, display_name, given_name, family_name, email, phone_number, title, department, employee_number, manager, active, document) VALUES
  ('acme', '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01', 1, 'ann.archer@example.com', '00ujl29u0le5T6Aj10h7', 'Ann Archer', 'Ann', 'Archer', 'ann.archer@example.com', NULL, NULL, NULL, NULL, NULL, TRUE, '{"active":true,"displayName":"Ann Archer","emails":[{"primary":true,"type":"work","value":"ann.archer@example.com"}],"externalId":"00ujl29u0le5T6Aj10h7","locale":"en-US","name":{"familyName":"Archer","givenName":"Ann"},"userName":"ann.archer@example.com"}');
COMMIT;
