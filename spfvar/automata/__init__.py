"""From a strategy's text to a table: extraction, sharing, layout, linking."""
