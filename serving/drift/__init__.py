"""What a version was asked, and has answered, compared with what it was trained on."""
