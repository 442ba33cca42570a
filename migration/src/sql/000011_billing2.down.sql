ALTER TABLE billing_report DROP COLUMN tenant_name;
ALTER TABLE billing_report DROP COLUMN partner_name;
DROP TABLE source_cost;
DROP TABLE billing_announcement;
