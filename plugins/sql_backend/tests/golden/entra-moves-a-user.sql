BEGIN;
UPDATE applied SET version = 2 WHERE organization = 'acme' AND resource = '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01' AND version = 1;
UPDATE users SET version = 2, department = 'Research', manager = '8b6e2a40-1f0d-4e0c-8a43-77d0b6c4b002', document = '{"active":true,"displayName":"Ann Archer","emails":[{"primary":true,"type":"work","value":"ann.archer@example.com"}],"externalId":"00ujl29u0le5T6Aj10h7","locale":"en-US","name":{"familyName":"Archer","givenName":"Ann"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Research","manager":{"value":"8b6e2a40-1f0d-4e0c-8a43-77d0b6c4b002"}},"userName":"ann.archer@example.com"}' WHERE organization = 'acme' AND id = '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01';
COMMIT;
