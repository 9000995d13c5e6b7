BEGIN;
UPDATE applied SET version = 2 WHERE organization = 'acme' AND resource = '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01' AND version = 1;
UPDATE users SET version = 2, active = FALSE, document = '{"active":false,"displayName":"Ann Archer","emails":[{"primary":true,"type":"work","value":"ann.archer@example.com"}],"externalId":"00ujl29u0le5T6Aj10h7","locale":"en-US","name":{"familyName":"Archer","givenName":"Ann"},"userName":"ann.archer@example.com"}' WHERE organization = 'acme' AND id = '5d1c0f9e-6f5f-4c3b-9a51-2f3c8a1e0a01';
COMMIT;
