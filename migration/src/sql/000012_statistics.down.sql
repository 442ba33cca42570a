DROP FUNCTION analyze_outgrown();
