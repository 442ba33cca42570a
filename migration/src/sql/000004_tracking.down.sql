DROP FUNCTION tenant_of_inbound_endpoint(uuid), tenants_with_alerts();
DROP INDEX delivery_remote;
DROP TABLE suppression, inbound_hook, inbound_endpoint, alert_setting, alert_notice, alert, alert_rule, alert_channel;
