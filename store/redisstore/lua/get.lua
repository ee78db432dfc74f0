return { pack('>BI6', 0, now) .. seal, v or '' }
