DROP VIEW report_amount;
